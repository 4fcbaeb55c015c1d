import { Skeleton } from '../components/panel.tsx';

export function ModelPage() {
  return <Skeleton />;
}
