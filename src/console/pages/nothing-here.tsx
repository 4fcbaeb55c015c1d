import { Empty } from '../components/panel.tsx';

export function NothingHere() {
  return (
    <Empty>
      <p>There is no page at this address.</p>
      <p>
        <a href="/jobs">All jobs</a>
      </p>
    </Empty>
  );
}
