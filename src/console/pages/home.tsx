import { Skeleton } from '../components/panel.tsx';

export function HomePage() {
  return <Skeleton />;
}
